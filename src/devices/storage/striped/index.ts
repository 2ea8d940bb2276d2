export {StripedDisk} from './striped-disk.ts';
