export type {CounterReading, CpuBackend, ExitKind, MmioExit, MsrExit, PortExit, Resumption} from './cpu-backend.ts';
