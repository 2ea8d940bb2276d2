export {hexBytes, hexText, parseAddress, parseBytes, parseCount} from './hex.ts';
export {type ClientEvent, framePacket, maxPacketBytes, PacketReader} from './packets.ts';
