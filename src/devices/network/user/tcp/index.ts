export {TcpConnection} from './connection.ts';
export {TcpConnections} from './connections.ts';
export type {Flushed, TcpLink} from './link.ts';
export {decodeResets, encodeResets} from './remembered.ts';
export {type Outgoing, type OutgoingData, writeSegment} from './transmit.ts';
