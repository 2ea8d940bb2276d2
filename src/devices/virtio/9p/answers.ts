import {type Answer, isLater, type Refused} from '#devices/folder';

/** Goes on with what a folder answers, which may be a {@link Refused}, now or when it comes. */
export function settled<T, U>(answer: Answer<T>, next: (value: T | Refused) => Answer<U>): Answer<U> {
	return isLater(answer) ? answer.then(next) : next(answer);
}
