export type {CpuidEntry} from './cpuid-entry.ts';
