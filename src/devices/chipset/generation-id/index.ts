export {generationIdType} from './device-type.ts';
export {type ChangeGeneration, type GenerationIdConfig, generationIdKind} from './handle.ts';
export {generationId} from './model.ts';
