export {abort, TcpConnection} from './connection.ts';
export {TcpConnections} from './connections.ts';
export type {Flushed, TcpLink} from './link.ts';
export {type Outgoing, type OutgoingData, writeSegment} from './transmit.ts';
