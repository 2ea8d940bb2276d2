export {bytesPerBus, type RootComplexConfig, rootComplexKind} from './handle.ts';
export {ecamRegion, rootComplex} from './model.ts';
