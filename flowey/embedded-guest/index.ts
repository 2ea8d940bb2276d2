export {type FlatImage, writePvhElf} from './elf.ts';
export {type EmbeddedGuest, embeddedGuest} from './embedded-guest.ts';
