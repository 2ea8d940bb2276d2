export {A, questionName, questionType, resolver, response, truncated} from './dns-messages.ts';
export {udpServer} from './udp-server.ts';
