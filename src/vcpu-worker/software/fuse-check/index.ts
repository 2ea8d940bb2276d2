/** Whether the host multiplies and adds at once. */

export {buildFuseCheck} from './build-fuse-check.ts';
export {hostFuses} from './host-fuses.ts';
