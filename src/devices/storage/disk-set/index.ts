export {DiskSet, type DiskSetHost, diskSetBytes, diskSetPlaces, diskSetSavedParts, type SetMember} from './disk-set.ts';
