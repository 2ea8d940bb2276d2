import type {MadeTranslations, TranslationRequest} from '#vcpu-worker/software/translation-store';

export {decompressKernel} from './decompress-kernel.ts';
export {findVmcoreinfo} from './find-vmcoreinfo.ts';
export {populatedChunks} from './populated.ts';
export {prefetch} from './prefetch.ts';
export {readJson} from './read-json.ts';
export {saveMemory} from './save-memory.ts';
export {verifyMemory} from './verify-memory.ts';

/** Makes translations for software processors. Who makes them is most of the processor's code: other jobs do without. */
export async function makeTranslations(requests: readonly TranslationRequest[]): Promise<MadeTranslations> {
	const translator = await import('#vcpu-worker/software/translator');
	return translator.makeTranslations(requests);
}
