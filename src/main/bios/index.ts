export {buildBiosArea} from './bios-area.ts';
