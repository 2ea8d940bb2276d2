/** Translations that the processors of a process share. The thread that makes machines loads it, and no more of the translator. */
export {Allowance} from './allowance.ts';
export {Begins} from './begins.ts';
export {
	type Answer,
	type CodePage,
	isMadeOf,
	type MadeRegion,
	type MadeTranslations,
	pageOf,
	type Serving,
	type TranslationRequest,
	type TranslationSource,
} from './protocol.ts';
export {type MachineTranslations, storeLimits, TranslationStore} from './translation-store.ts';
