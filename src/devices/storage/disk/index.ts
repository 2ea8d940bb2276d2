export {type Disk, type DiskGeometry, requestError} from './disk.ts';
export {DiskError, DiskOperation, DiskRequest} from './disk-request.ts';
