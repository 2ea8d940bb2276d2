export {isSound, type PacketParts, packet, payloadOf, pseudoSum} from './packets.ts';
export {TestEndpoint} from './test-endpoint.ts';
