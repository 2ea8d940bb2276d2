export {DiskSet, type DiskSetHost, diskSetBytes, diskSetPlaces, diskSetSavedParts, type SetMember} from './disk-set.ts';
export {changeMembers, checkAddition, type DiskAddition, type DiskChange, type DiskRemoval} from './member-changes.ts';
