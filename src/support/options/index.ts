export {checkPath, type PathUse} from './check-path.ts';
export {type Named, type NamedPath, optionError, optionMessages} from './errors.ts';
export {type KeyTable, type KeyValues, parseKeyValues} from './key-value.ts';
export {checkRange, parseNumber} from './numbers.ts';
export type {
	ChoiceOption,
	FlagOption,
	GivenOptions,
	NumberOption,
	Option,
	OptionTable,
	OptionValues,
	PathOption,
	TextOption,
	TypedOption,
	ValueType,
} from './option.ts';
export {linuxPaths, type PathHost, type PathKind, type PathState} from './path-host.ts';
export {
	completeOptions,
	detachOptions,
	explainOptions,
	guestOptions,
	hostProblems,
	missingHostOptions,
	type RawOptions,
	type ReadOptions,
	readOptions,
	wrongGuestOption,
} from './read-options.ts';
export {parseSize} from './size.ts';
export {invalid as invalidValue, isOptionTable} from './value-types.ts';
