export {DiskSet, type DiskSetHost, diskSetBytes, diskSetPlaces, type SetMember} from './disk-set.ts';
