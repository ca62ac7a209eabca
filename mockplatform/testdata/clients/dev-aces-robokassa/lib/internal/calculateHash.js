"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.calculateHash = void 0;
const crypto_1 = require("crypto");
const calculateHash = (hashAlgorithm, value) => {
    const hash = (0, crypto_1.createHash)(hashAlgorithm);
    hash.update(value);
    return hash.digest('hex');
};
exports.calculateHash = calculateHash;
//# sourceMappingURL=calculateHash.js.map