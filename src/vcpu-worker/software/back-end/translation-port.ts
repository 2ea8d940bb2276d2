import {type MessagePort, receiveMessageOnPort} from 'node:worker_threads';
import type {Answer, Begins, TranslationSource} from '#vcpu-worker/software/translation-store';
import {ownTranslations} from '#vcpu-worker/software/translator';

/**
 * Asks the machine's owner for translations. Answers are taken when the request word says that there are some. Until the first has come, as the
 * pool's thread has to start, the processor makes its own besides: a short guest would be over.
 * @param open - opens the channel to the owner, when something is hot
 */
export function translationsBy(open: () => MessagePort, begins: Begins): TranslationSource {
	let port: MessagePort | undefined;
	let own: TranslationSource | undefined;
	let hasAnswered = false;
	return {
		mayHave: (key) => begins.has(key),
		hasTime: () => hasAnswered && begins.hasTime,
		ask(request) {
			port ??= open();
			port.postMessage(request);
			if (hasAnswered || !request.mayMake) return [];
			own ??= ownTranslations();
			return own.ask(request);
		},
		take() {
			const answer: Answer | undefined = port && receiveMessageOnPort(port)?.message;
			if (answer?.kind === 'made') {
				hasAnswered = true;
				own = undefined;
			}
			return answer;
		},
	};
}
