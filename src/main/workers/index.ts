export {workerUrls} from './worker-urls.ts';
