export {MemdiffDisk} from './memdiff-disk.ts';
export {mostOverlayBytes, Overlay} from './overlay.ts';
