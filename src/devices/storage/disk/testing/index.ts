export {AwaitedRequest, diskMemory} from './awaited-request.ts';
export {InterceptedDisk, type Interception} from './intercepted-disk.ts';
