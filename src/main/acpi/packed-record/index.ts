export {
	ascii,
	checksum,
	concatBytes,
	type FieldValue,
	littleEndian,
	type PackedField,
	type PackedRecord,
	packedRecord,
} from './packed-record.ts';
