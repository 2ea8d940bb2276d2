export {ImageDisk, type ImageDiskParts} from './image-disk.ts';
