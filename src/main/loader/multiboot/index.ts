export {findMultibootHeader} from './header.ts';
export {loadMultiboot} from './multiboot.ts';
