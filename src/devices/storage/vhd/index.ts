export {DiskType, footerBytes, parseFooter} from './structures.ts';
export {createVhd, openVhd, type VhdOptions} from './vhd.ts';
