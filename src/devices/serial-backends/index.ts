export type {SerialBackendConfig} from './config.ts';
export {ConsoleLog, type ConsoleLogPiece, consoleLogBytes, olderLog, parseLogPiece} from './console-log.ts';
export {createSerialBackend} from './create-serial-backend.ts';
export {createSerialBack, type SerialBack, type SerialPort} from './serial-back.ts';
export type {SerialBackend} from './serial-backend.ts';
export {serialBinding} from './serial-binding.ts';
