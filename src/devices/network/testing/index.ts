export {isSound, type PacketParts, packet, payloadOf, pseudoSum} from './packets.ts';
export {TestEndpoint} from './test-endpoint.ts';
export {TestNic} from './test-nic.ts';
