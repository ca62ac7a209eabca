"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=IRobokassaReceipt.js.map