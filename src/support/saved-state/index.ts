export {stateError} from './errors.ts';
export {
	readFields,
	restoreStruct,
	type SavedField,
	type SavedFields,
	type SavedStruct,
	type StateVersions,
	saveStruct,
} from './saved-struct.ts';
export {
	anyObject,
	bytesOf,
	hex64,
	listOf,
	mapOf,
	oneOf,
	optional,
	orNone,
	partOf,
	record,
	type SavedValue,
	textLike,
	textUpTo,
	type ValueOf,
	wholeNumber,
	yesOrNo,
} from './saved-value.ts';
