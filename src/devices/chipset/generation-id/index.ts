export {type ChangeGeneration, type GenerationIdConfig, generationId, generationIdKind} from './device.ts';
export {generationIdType} from './device-type.ts';
