export {Reply, Request} from '../messages.ts';
export {type Got, P9Client, rootFid} from './client.ts';
