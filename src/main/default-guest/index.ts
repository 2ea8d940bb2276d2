export {type DefaultGuest, defaultGuest} from './default-guest.ts';
export {type FlatImage, writePvhElf} from './elf.ts';
