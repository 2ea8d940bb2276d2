export {linuxBootPieces, linuxEntry} from './boot-state.ts';
export {loadBzImage} from './bzimage.ts';
export {isLinuxElf} from './linux-elf.ts';
export {bootProtocol, isBzImage} from './setup-header.ts';
export {loadVmlinux} from './vmlinux.ts';
