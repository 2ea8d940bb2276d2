export {AwaitedRequest, diskMemory} from './awaited-request.ts';
