export {linuxBootPieces, linuxEntry} from './boot-state.ts';
export {loadBzImage} from './bzimage.ts';
export {isBzImage} from './setup-header.ts';
export {loadVmlinux} from './vmlinux.ts';
