export {createVhd, openVhd, type VhdOptions} from './vhd.ts';
