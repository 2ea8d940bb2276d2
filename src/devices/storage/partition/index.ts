export {findPartition, type WantedPartition} from './find-partition.ts';
export type {DiskRange} from './table.ts';
export {WindowDisk} from './window-disk.ts';
