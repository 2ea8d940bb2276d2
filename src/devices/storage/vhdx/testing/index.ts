export {type EntrySpec, encodeEntry, logSectorBytes, mendEntries, putLog} from './log-entry.ts';
