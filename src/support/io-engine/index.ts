export {type EngineName, engineNames, FileAction, FileOperation, type IoEngine} from './io-engine.ts';
export {openIoEngine} from './open-engine.ts';
export {sharePoolCalls} from './pool-calls.ts';
