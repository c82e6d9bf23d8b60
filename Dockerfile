# For the CPU; for CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
FROM python:3.13-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir torch --index-url "$TORCH_INDEX"
COPY . /src
RUN pip install --no-cache-dir /src && pip uninstall -y opencv-python && pip install --no-cache-dir opencv-python-headless && rm -rf /src
WORKDIR /photos
ENTRYPOINT ["irflow"]
