export {type Disk, type DiskGeometry, type DiskMover, diskMovers, requestError} from './disk.ts';
export {DiskLayer} from './disk-layer.ts';
export {DiskError, DiskOperation, DiskRequest} from './disk-request.ts';
export {diskLengthError} from './errors.ts';
