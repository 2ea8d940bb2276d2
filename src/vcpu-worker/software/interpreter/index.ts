/** The interpreter: code generated from the meanings of steps, and what runs it. The translator uses its parts. */
export {cachedBlock, enterPage} from './block-cache.ts';
export {buildInterpreter} from './build-interpreter.ts';
export {type CodePage, Core, type SlowAccess, type Translation, type WithinBlock} from './core.ts';
export {AccessKind, type Imports} from './guest-access.ts';
export {importParts, memoryLimits} from './import-parts.ts';
export {compile, loadInterpreter} from './load-interpreter.ts';
export {poll} from './poll.ts';
export {RareFunctions} from './rare-functions.ts';
export {imageOf, isImage} from './record-image.ts';
export {addressOf, elementOf, type LookingAccess, type Place, type Registers, type SharedLooks} from './registers.ts';
export {GeneratedStep} from './step.ts';
export type {StepFields} from './step-fields.ts';
