export {DiskSet, type DiskSetHost, diskSetBytes, type SetMember} from './disk-set.ts';
