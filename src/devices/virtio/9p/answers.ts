import {type Answer, isLater, isRefused, type Refused} from '#devices/folder';

/** Goes on with what a folder answers, which may be a {@link Refused}, now or when it comes. */
export function settled<T, U>(answer: Answer<T>, next: (value: T | Refused) => Answer<U>): Answer<U> {
	return isLater(answer) ? answer.then(next) : next(answer);
}

/** Goes on with a value; what is refused stays so. */
export const mapped = <T, U>(answer: Answer<T>, next: (value: T) => Answer<U>): Answer<U> =>
	settled(answer, (value) => (isRefused(value) ? value : next(value as T)));
