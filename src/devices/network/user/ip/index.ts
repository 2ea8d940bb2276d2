export {type Datagram, type OutgoingDatagram, readDatagram, writeDatagram} from './datagram.ts';
export {Fragments} from './fragments.ts';
export {
	addressLength,
	destinationOf,
	flowKey,
	flowKeyOf,
	type IpPacket,
	kept,
	mostCarried,
	sourceOf,
} from './packet.ts';
export {type Fragment, isIntact, type Malformed, readIpv4, readIpv6} from './read.ts';
export {FrameWriter, type Path, payloadStart} from './writer.ts';
