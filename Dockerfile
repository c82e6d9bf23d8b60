# For the CPU; for CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
FROM python:3.13-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /
RUN pip install --no-cache-dir -c /constraints.txt torch --index-url "$TORCH_INDEX"
COPY . /src
# A container has no display, for which opencv-python would need more libraries.
RUN pip install --no-cache-dir -c /constraints.txt /src \
    && pip uninstall -y opencv-python \
    && pip install --no-cache-dir -c /constraints.txt opencv-python-headless
WORKDIR /photos
ENTRYPOINT ["irflow"]
