export {rootComplexType} from './device-type.ts';
export {bytesPerBus, type RootComplexConfig, rootComplexKind} from './handle.ts';
export {ecamRegion, rootComplex} from './model.ts';
