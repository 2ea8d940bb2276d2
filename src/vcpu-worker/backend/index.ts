export type {CpuBackend, ExitKind, MmioExit, MsrExit, PortExit} from './cpu-backend.ts';
