export type {Debuggee} from './debuggee.ts';
export {type GdbServer, serveGdb} from './gdb-server.ts';
