export {stateError} from './errors.ts';
export {restoreStruct, type SavedFields, type SavedStruct, type StateVersions, saveStruct} from './saved-struct.ts';
