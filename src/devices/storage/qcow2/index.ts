export {createQcow2, type Qcow2Options} from './create.ts';
export {type Header, readHeader as readQcow2Header} from './header.ts';
export {openQcow2, Qcow2Image} from './qcow2-image.ts';
